"""Generated from proto/secfpp/wire/v1 by scripts/generate_wire.py; only the codec imports it."""
