"""The speed harness behind `make bench`: see README.md beside this file."""
