"""What a streaming proxy meets, as a table in two columns: plain `hypercorn -k trio hoosh.asgi:app`, and `hoosh serve`."""
