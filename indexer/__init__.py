"""Files in, a searchable collection out: read ∥ segment ∥ encode ∥ store, resumable, nothing lost silently."""
