import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** Clients that ask one question again and again, each with a connection that it replaces after a failure, as a pool does. */
final class Load {
  private static final long PAUSE_MILLIS = 100;

  private final List<Thread> threads = new ArrayList<>();
  private final Map<String, Integer> failures = new TreeMap<>();
  private final int[] right;
  private int wrong;
  private volatile boolean stopping;

  /** `digest`: of the right answer; see {@link #digest}. */
  Load(String url, String user, String password, String sql, String digest, int clients) {
    right = new int[clients];
    for (int i = 0; i < clients; i++) {
      int index = i;
      threads.add(new Thread(() -> run(index, url, user, password, sql, digest)));
    }
    threads.forEach(Thread::start);
  }

  private void run(int index, String url, String user, String password, String sql, String digest) {
    Connection connection = null;
    while (!stopping) {
      try {
        if (connection == null) connection = connect(url, user, password);
        boolean same = digest(connection, sql).equals(digest);
        synchronized (this) {
          if (same) right[index]++;
          else wrong++;
        }
      } catch (Throwable error) { // what a fault may look like is for the test to judge
        synchronized (this) {
          failures.merge(Lines.messages(error), 1, Integer::sum);
        }
        close(connection);
        connection = null;
      }
      pause();
    }
    close(connection);
  }

  synchronized Object progress() {
    return Map.of("right", java.util.Arrays.stream(right).boxed().toList(), "wrong", wrong, "failures", Map.copyOf(failures));
  }

  Object stop() throws InterruptedException {
    stopping = true;
    for (Thread thread : threads) thread.join();
    return progress();
  }

  static Connection connect(String url, String user, String password) throws SQLException {
    var properties = new Properties();
    properties.put("user", user);
    properties.put("password", password);
    return DriverManager.getConnection(url, properties);
  }

  /** The number of rows and the sum of their hashes, so that their order does not matter. */
  static String digest(Connection connection, String sql) throws SQLException {
    try (Statement s = connection.createStatement(); ResultSet r = s.executeQuery(sql)) {
      return digest(r, 0, 0, Long.MAX_VALUE);
    }
  }

  /** Goes on from `rows` and `sum` for at most `most` rows. */
  static String digest(ResultSet r, long rows, long sum, long most) throws SQLException {
    int columns = r.getMetaData().getColumnCount();
    for (long read = 0; read < most && r.next(); read++, rows++) {
      long hash = 17;
      for (int i = 1; i <= columns; i++) {
        String value = r.getString(i);
        hash = hash * 1_000_003 + (value == null ? 0 : value.hashCode());
      }
      sum += hash * hash + hash;
    }
    return rows + " " + sum;
  }

  private static void close(Connection connection) {
    try {
      if (connection != null) connection.close();
    } catch (SQLException error) {
      // A connection that a fault has broken need not close well.
    }
  }

  private static void pause() {
    try {
      Thread.sleep(PAUSE_MILLIS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }
}
