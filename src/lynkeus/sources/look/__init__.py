"""What a file holds, and how it would be read: what `lynkeus look` shows."""
