"""The built-in methods: each enters by its own entry point, as a third party's would."""
