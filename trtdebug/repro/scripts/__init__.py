"""Sources of the scripts of a repro folder. `bundle` makes each of them one file that needs no trtdebug."""
