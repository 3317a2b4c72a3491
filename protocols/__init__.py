"""The protocols that ship with the framework, one TOML file each."""
