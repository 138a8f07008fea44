"""The HTTP gateway: who may come in, what they may send, and how they are answered."""
