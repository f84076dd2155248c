"""The `numbatch` command. Each sub-command is a file, imported only when it runs; `main` is the entry point."""
