"""What a daemon must remember when it starts again: one sealed database per state directory."""
