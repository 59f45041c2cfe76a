"""What every flow shares and that knows none of them."""
