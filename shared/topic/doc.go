// Package topic is the grammar of Headwater's MQTT topics, in both directions;
// shared/wire/FORMAT.md, section 4, is its authority.
//
//	I1  ParseUp accepts exactly what Up writes for a valid client. FuzzParseUp.
//	I2  No client id makes a topic with a wildcard or another level. TestTopicsAreWhatTheFormatSays.
//
// Pure functions; nothing is kept and nothing can be lost here.
package topic
