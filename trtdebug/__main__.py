from trtdebug.cli.start import main

if __name__ == "__main__":  # not where a process that it starts imports it again (multiprocessing, Dask)
    main()
