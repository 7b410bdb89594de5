"""One module for each way of ordering versions: text in, bytes out that sort as the ecosystem sorts."""
