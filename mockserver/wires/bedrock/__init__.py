"""Amazon Bedrock: Converse, and Anthropic's models by InvokeModel."""
