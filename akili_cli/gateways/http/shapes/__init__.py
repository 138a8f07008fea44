"""What bodies of requests and answers look like: strict where strangers write, documented where akili does."""
