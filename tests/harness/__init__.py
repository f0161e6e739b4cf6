"""What makes pytest run tests on more than one Python."""
