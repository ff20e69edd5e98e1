"""report.html: one file that needs no network. Words are written here; what can be explored is drawn in the browser."""
