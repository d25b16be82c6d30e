"""The command line: every public module beside ``main`` holds one command, called ``command``."""
