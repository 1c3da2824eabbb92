"""The power goes: what was acknowledged survives the loss of everything that was not synced. See ADR 14."""
