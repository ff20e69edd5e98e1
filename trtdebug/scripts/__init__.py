"""What the scripts share that trtdebug writes into repro and fix folders; they run where there is no trtdebug."""
