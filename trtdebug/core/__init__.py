"""The words every room shares: errors, interventions, outcomes, the case. Imports nothing of trtdebug."""
