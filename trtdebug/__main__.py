from trtdebug.cli.start import main

main()
