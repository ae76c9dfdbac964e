"""From sifted bits to secret key: error correction, verification, privacy amplification, and a ledger of the leak."""
