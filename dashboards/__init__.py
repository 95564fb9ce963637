"""What people look at: the console and its pages."""
