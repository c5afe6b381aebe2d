from pixsieve.cli.app import main

main()
