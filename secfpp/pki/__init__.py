"""Keys and certificates: who is who in a federation. No private key ever leaves its owner."""
