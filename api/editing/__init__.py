"""Makes packages of data files, previews them, puts their files in order, drafts their next version."""
