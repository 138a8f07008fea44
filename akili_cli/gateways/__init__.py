"""The ways in from outside: each turns what arrives into calls of rooms, and knows no other gateway."""
