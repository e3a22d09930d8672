"""What the steps that think have in common: a conversation that is kept note by note, and the calls of its tools."""
