"""Reading request files: bytes to lines, lines to checked requests, requests to blocks in cache order."""
