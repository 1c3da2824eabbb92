"""Store and Queue on AWS: DynamoDB and SQS."""
