"""What a run says in the terminal: how far it is, what failed, and the sum on one screen."""
