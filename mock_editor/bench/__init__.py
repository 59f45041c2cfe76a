"""The side of the SAS, where the real one is not there. It knows no editor: it talks HTTP to them."""
