"""What the command line and the Python API share: a case is opened, diagnosed and reported in one way."""
