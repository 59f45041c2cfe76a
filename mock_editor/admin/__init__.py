"""The simulator's own JSON interface, under ``/_admin``: looking into its state and putting it back."""
