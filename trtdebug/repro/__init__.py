"""Minimal repro folders: the nodes at fault with recorded data and a script that needs no trtdebug."""
