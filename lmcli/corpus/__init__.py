"""Text in many formats, read as documents, cleaned, and split into training and validation text."""
