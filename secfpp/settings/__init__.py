"""The three TOML files: what a coordinator is, what a party is, what a job asks for."""
