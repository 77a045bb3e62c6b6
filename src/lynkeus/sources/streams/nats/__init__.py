"""NATS and JetStream as a stream: messages in JSON become updates of channels."""
