"""Sources of the scripts of a fix folder. `bundle` makes each of them one file that needs no trtdebug."""
