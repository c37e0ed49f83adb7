import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TimeZone;

/** Drives the Flight SQL JDBC driver for the conformance tests; {@link Lines} has the protocol. */
public final class JdbcProbe {
  private Connection connection;
  private Load load;
  private Held held;

  /** A result that was read in part. */
  private record Held(Statement statement, ResultSet result, long rows, long sum) {}

  public static void main(String[] args) throws Exception {
    TimeZone.setDefault(TimeZone.getTimeZone("UTC")); // dates and times as text must not depend on the machine
    var probe = new JdbcProbe();
    Lines.serve(probe::answer);
    if (probe.connection != null) probe.connection.close();
    System.exit(0);
  }

  private Object answer(String[] f) throws Exception {
    switch (f[0]) {
      case "connect": return connect(f);
      case "statement": try (Statement s = connection.createStatement()) { return Lines.result(s.executeQuery(f[1])); }
      case "prepared": return prepared(f[1], Integer.parseInt(f[2]));
      case "bound": try (PreparedStatement s = bound(f)) { return Lines.result(s.executeQuery()); }
      case "boundAgain": return boundAgain(f);
      case "boundUpdate": try (PreparedStatement s = bound(f)) { return s.executeUpdate(); }
      case "batch": return batch(f);
      case "parameters": try (PreparedStatement s = connection.prepareStatement(f[1])) { return s.getParameterMetaData().getParameterCount(); }
      case "update": try (Statement s = connection.createStatement()) { return s.executeUpdate(f[1]); }
      case "execute": try (Statement s = connection.createStatement()) { return s.execute(f[1]); }
      case "partial": return partial(f[1], Integer.parseInt(f[2]));
      case "ascending": return ascending(f[1]);
      case "describe": try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(f[1])) { return Metadata.columns(r.getMetaData()); }
      case "metadata": return Metadata.answer(connection.getMetaData(), f);
      case "digest": return Load.digest(connection, f[1]);
      case "loadStart": load = new Load(f[1], f[2], f[3], f[4], f[5], Integer.parseInt(f[6])); return null;
      case "loadProgress": return load.progress();
      case "loadStop": return load.stop();
      case "hold": return hold(f[1], Integer.parseInt(f[2]));
      case "rest": return rest();
      case "session": return session();
      case "close": return close();
      default: throw new IllegalArgumentException("unknown verb " + f[0]);
    }
  }

  /** connect URL user password; an empty user sends no credentials. */
  private Object connect(String[] f) throws SQLException {
    try {
      if (connection != null) connection.close();
    } catch (SQLException error) {
      // "close" is where a test looks at how closing ends.
    }
    connection = null;
    var properties = new Properties();
    if (!f[2].isEmpty()) {
      properties.put("user", f[2]);
      properties.put("password", f[3]);
    }
    connection = DriverManager.getConnection(f[1], properties);
    return connection.getMetaData().getDriverVersion();
  }

  /** The same statement run several times; the last answer. */
  private Object prepared(String sql, int times) throws SQLException {
    Object last = null;
    try (PreparedStatement s = connection.prepareStatement(sql)) {
      for (int i = 0; i < times; i++) last = Lines.result(s.executeQuery());
    }
    return last;
  }

  /** bound SQL bind… */
  private PreparedStatement bound(String[] f) throws SQLException {
    PreparedStatement s = connection.prepareStatement(f[1]);
    Binds.bindAll(s, Arrays.copyOfRange(f, 2, f.length));
    return s;
  }

  /** boundAgain SQL bind…: one statement with one parameter, run once per bind. */
  private Object boundAgain(String[] f) throws SQLException {
    var answers = new ArrayList<Object>();
    try (PreparedStatement s = connection.prepareStatement(f[1])) {
      for (int i = 2; i < f.length; i++) {
        Binds.bindAll(s, new String[] {f[i]});
        answers.add(Lines.result(s.executeQuery()));
      }
    }
    return answers;
  }

  /** batch SQL width bind…: as many rows as binds fill. */
  private Object batch(String[] f) throws SQLException {
    int width = Integer.parseInt(f[2]);
    try (PreparedStatement s = connection.prepareStatement(f[1])) {
      for (int i = 3; i < f.length; i += width) {
        Binds.bindAll(s, Arrays.copyOfRange(f, i, i + width));
        s.addBatch();
      }
      return Arrays.stream(s.executeBatch()).boxed().toList();
    }
  }

  /** Reads some rows, then closes the result as a tool's preview does. */
  private Object partial(String sql, int rows) throws SQLException {
    try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(sql)) {
      int read = 0;
      while (read < rows && r.next()) read++;
      return read;
    }
  }

  /** How many rows there are and whether the first column, a number, rises. */
  private Object ascending(String sql) throws SQLException {
    try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(sql)) {
      long rows = 0;
      long last = Long.MIN_VALUE;
      boolean rises = true;
      for (; r.next(); rows++) {
        rises &= r.getLong(1) >= last;
        last = r.getLong(1);
      }
      return Map.of("rows", rows, "rises", rises);
    }
  }

  /** Reads some rows of a result that stays open. */
  private Object hold(String sql, int most) throws SQLException {
    Statement statement = connection.createStatement();
    ResultSet result = statement.executeQuery(sql);
    String[] digest = Load.digest(result, 0, 0, most).split(" ");
    held = new Held(statement, result, Long.parseLong(digest[0]), Long.parseLong(digest[1]));
    return held.rows();
  }

  /** Reads it on; the digest of the whole. */
  private Object rest() throws SQLException {
    try (Statement s = held.statement(); ResultSet r = held.result()) {
      return Load.digest(r, held.rows(), held.sum(), Long.MAX_VALUE);
    }
  }

  private Object session() throws SQLException {
    var facts = new LinkedHashMap<String, Object>();
    facts.put("catalog", connection.getCatalog());
    facts.put("schema", connection.getSchema());
    facts.put("valid", connection.isValid(5));
    facts.put("closed", connection.isClosed());
    return facts;
  }

  private Object close() throws SQLException {
    Connection old = connection;
    connection = null;
    old.close();
    return old.isClosed();
  }
}
