"""Engines that come with the framework."""
