import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/**
 * Drives the Flight SQL JDBC driver for the conformance tests: one command per input line, one JSON answer per output line.
 * Fields of a line are tab-separated, each URL-encoded: verb, then its arguments.
 */
public final class JdbcProbe {
  private Connection connection;

  public static void main(String[] args) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var probe = new JdbcProbe();
    for (String line; (line = in.readLine()) != null; ) {
      String[] fields = line.split("\t", -1);
      for (int i = 0; i < fields.length; i++) fields[i] = java.net.URLDecoder.decode(fields[i], StandardCharsets.UTF_8);
      String answer;
      try {
        answer = "{\"value\":" + probe.answer(fields) + "}";
      } catch (Throwable error) {
        answer = "{\"error\":" + text(messages(error)) + "}";
      }
      System.out.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
      System.out.flush();
    }
    if (probe.connection != null) probe.connection.close();
    System.exit(0);
  }

  private String answer(String[] f) throws Exception {
    switch (f[0]) {
      case "connect": return connect(f);
      case "statement": try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(f[1])) { return result(r); }
      case "prepared": return prepared(f);
      case "update": try (Statement s = connection.createStatement()) { return String.valueOf(s.executeUpdate(f[1])); }
      case "partial": return partial(f[1], Integer.parseInt(f[2]));
      case "metadata": return metadata(f);
      case "close": connection.close(); connection = null; return "null";
      default: throw new IllegalArgumentException("unknown verb " + f[0]);
    }
  }

  /** connect URL user password; an empty user sends no credentials. */
  private String connect(String[] f) throws SQLException {
    if (connection != null) connection.close();
    var properties = new Properties();
    if (!f[2].isEmpty()) {
      properties.put("user", f[2]);
      properties.put("password", f[3]);
    }
    connection = DriverManager.getConnection(f[1], properties);
    return text(connection.getMetaData().getDriverVersion());
  }

  /** prepared SQL times: the same statement run several times. */
  private String prepared(String[] f) throws SQLException {
    String last = "null";
    try (PreparedStatement s = connection.prepareStatement(f[1])) {
      for (int i = 0; i < Integer.parseInt(f[2]); i++) try (ResultSet r = s.executeQuery()) { last = result(r); }
    }
    return last;
  }

  /** Reads some rows, then closes the result as a tool's preview does. */
  private String partial(String sql, int rows) throws SQLException {
    try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(sql)) {
      int read = 0;
      while (read < rows && r.next()) read++;
      return String.valueOf(read);
    }
  }

  /** The calls that DBeaver and Tableau make when a person opens a connection and its tree. */
  private String metadata(String[] f) throws Exception {
    DatabaseMetaData m = connection.getMetaData();
    switch (f[1]) {
      case "catalogs": try (ResultSet r = m.getCatalogs()) { return result(r); }
      case "schemas": try (ResultSet r = m.getSchemas()) { return result(r); }
      case "schemasLike": try (ResultSet r = m.getSchemas(null, f[2])) { return result(r); }
      case "tableTypes": try (ResultSet r = m.getTableTypes()) { return result(r); }
      case "tables": try (ResultSet r = m.getTables(null, nullable(f[2]), f[3], null)) { return result(r); }
      case "tablesOfType": try (ResultSet r = m.getTables(null, null, "%", new String[] {f[2]})) { return result(r); }
      case "columns": try (ResultSet r = m.getColumns(null, nullable(f[2]), f[3], "%")) { return result(r); }
      case "primaryKeys": try (ResultSet r = m.getPrimaryKeys(null, f[2], f[3])) { return result(r); }
      case "importedKeys": try (ResultSet r = m.getImportedKeys(null, f[2], f[3])) { return result(r); }
      case "exportedKeys": try (ResultSet r = m.getExportedKeys(null, f[2], f[3])) { return result(r); }
      case "indexInfo": try (ResultSet r = m.getIndexInfo(null, f[2], f[3], false, true)) { return result(r); }
      case "typeInfo": try (ResultSet r = m.getTypeInfo()) { return result(r); }
      case "procedures": try (ResultSet r = m.getProcedures(null, null, "%")) { return result(r); }
      case "facts": return facts(m);
      default: throw new IllegalArgumentException("unknown metadata " + f[1]);
    }
  }

  /** Every getter without arguments that a tool may read at connect; a getter that throws is listed under "failed". */
  private static String facts(DatabaseMetaData m) {
    var out = new StringBuilder("{");
    var failed = new StringBuilder("[");
    for (var method : DatabaseMetaData.class.getMethods()) {
      Class<?> type = method.getReturnType();
      boolean plain = type == String.class || type == boolean.class || type == int.class;
      if (!plain || method.getParameterCount() > 0 || method.isDefault()) continue;
      try {
        Object value = method.invoke(m);
        out.append(text(method.getName())).append(':').append(value instanceof String s ? text(s) : String.valueOf(value)).append(',');
      } catch (java.lang.reflect.InvocationTargetException error) {
        failed.append(failed.length() > 1 ? "," : "").append(text(method.getName() + ": " + error.getCause()));
      } catch (IllegalAccessException error) {
        throw new IllegalStateException(error);
      }
    }
    return out + "\"failed\":" + failed + "]}";
  }

  /** {"columns": [[label, type name, SQL type]…], "rows": [[value…]…]}; every value as text, NULL as null. */
  private static String result(ResultSet r) throws SQLException {
    ResultSetMetaData m = r.getMetaData();
    int width = m.getColumnCount();
    var out = new StringBuilder("{\"columns\":[");
    for (int i = 1; i <= width; i++)
      out.append(i > 1 ? "," : "").append('[').append(text(m.getColumnLabel(i))).append(',').append(text(m.getColumnTypeName(i))).append(',').append(m.getColumnType(i)).append(']');
    out.append("],\"rows\":[");
    for (int n = 0; r.next(); n++) {
      out.append(n > 0 ? ",[" : "[");
      for (int i = 1; i <= width; i++) {
        Object value = r.getObject(i);
        out.append(i > 1 ? "," : "").append(value == null ? "null" : text(String.valueOf(value)));
      }
      out.append(']');
    }
    return out.append("]}").toString();
  }

  private static String nullable(String value) {
    return value.isEmpty() ? null : value;
  }

  private static String messages(Throwable error) {
    var out = new StringBuilder();
    for (Throwable t = error; t != null; t = t.getCause()) out.append(out.length() > 0 ? " | " : "").append(t);
    return out.toString();
  }

  private static String text(String value) {
    if (value == null) return "null";
    var out = new StringBuilder("\"");
    for (char c : value.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20 || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
