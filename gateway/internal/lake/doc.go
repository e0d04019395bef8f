// Package lake writes and reads the tables. It is the only importer of iceberg-go, arrow and sqlite.
package lake
