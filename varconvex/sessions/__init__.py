"""Parts of `Session`: strokes and their history, answers for many threads, the preview, the file."""
