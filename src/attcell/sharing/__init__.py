"""A model on the Hugging Face hub: its card, its picture, and how it gets there and back."""
