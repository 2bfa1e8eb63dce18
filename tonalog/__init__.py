"""The front door: the `tonalog` command, the one-machine run and its reports. Knows every room."""
