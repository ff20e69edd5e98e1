"""Fix folders: what production needs to build with a verified fix, and the check that the fix still holds."""
