"""Words become conditions: a lexicon, clock times and a small grammar. No network, no randomness, no learning."""
