"""What `Session` consists of: strokes and their history, answers for many threads, the preview, the file."""
