"""Outlay's pages, JSON API, command line and start-up."""
